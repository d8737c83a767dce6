typedef int ssn_format_is_empty;
