typedef int ssn_store_is_empty;
