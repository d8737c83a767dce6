typedef int ssn_api_is_empty;
