module selsnap

go 1.19
