typedef int ssn_device_is_empty;
