// SPDX-License-Identifier: Apache-2.0

// Serves each snapshot over HTTP under its name, as it was taken; what asks for ranges gets them, as curl, qemu-img and
// nbdkit's curl plugin do. Works on disk.img and disk.store in the current directory, which it makes.
package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"strings"
	"time"

	"selsnap"
	"selsnap-examples/example"
)

// snapshots is what HTTP sees of a store.
type snapshots struct{ store *selsnap.Store }

func (s snapshots) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, "/")
	view, err := s.store.OpenView(selsnap.ViewOptions{Name: name, Pristine: true, Undesignated: selsnap.AsZeros})
	if errors.Is(err, fs.ErrNotExist) {
		http.NotFound(w, r)
	} else if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	} else {
		defer view.Close()
		w.Header().Set("Content-Type", "application/octet-stream")
		http.ServeContent(w, r, name, time.Time{}, io.NewSectionReader(view, 0, view.Size()))
	}
}

func main() {
	s := example.Store(example.File("disk.img"))
	example.Must(s.CreateSnapshot(selsnap.SnapshotOptions{Name: "monday"}))
	example.Must(s.WriteAt([]byte("after"), 0)) // goes on while it is served
	listener := example.Must(net.Listen("tcp", "127.0.0.1:0"))
	fmt.Printf("http://%s/monday\n", listener.Addr())
	example.Check(http.Serve(listener, snapshots{s}))
}
