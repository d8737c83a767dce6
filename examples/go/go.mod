module selsnap-examples

go 1.19

require selsnap v0.0.0

replace selsnap => ../../bindings/go
