// SPDX-License-Identifier: Apache-2.0

package selsnap

import (
	"errors"
	"sync/atomic"
	"testing"
)

// A call that meets a handle in exclusive use is told that it is busy, never that it is closed.
func TestLifeExcluded(t *testing.T) {
	l := newLife()
	var stop atomic.Bool
	met := make(chan error)
	go func() {
		var wrong error
		for wrong == nil && !stop.Load() {
			err := l.enter("use")
			if err == nil {
				l.leave()
			} else if !errors.Is(err, ErrBusy) {
				wrong = err
			}
		}
		met <- wrong
	}()
	for i := 0; i < 200000; i++ {
		if err := l.exclude("exclude", func() error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	stop.Store(true)
	if err := <-met; err != nil {
		t.Error(err)
	}
}
