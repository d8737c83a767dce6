typedef int ssn_snap_is_empty;
