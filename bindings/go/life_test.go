// SPDX-License-Identifier: Apache-2.0

package selsnap

import (
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
)

func meets(t *testing.T, l *life, wanted error) {
	t.Helper()
	err := l.enter("use")
	if err == nil {
		l.leave()
	}
	if !errors.Is(err, wanted) {
		t.Errorf("%v, not %v", err, wanted)
	}
}

// What a call meets: an exclusive one, a close, a close that failed, a closed handle.
func TestLifeStates(t *testing.T) {
	l := newLife()
	meets(t, l, nil)
	if err := l.exclude("exclude", func() error { meets(t, l, ErrBusy); return nil }); err != nil {
		t.Error(err)
	}
	meets(t, l, nil)
	for _, done := range []bool{false, true} {
		if err := l.close("close", func() (bool, error) { meets(t, l, ErrClosed); return done, nil }); err != nil {
			t.Error(err)
		}
		if !done {
			meets(t, l, nil)
		}
	}
	meets(t, l, ErrClosed)
	if err := l.exclude("exclude", func() error { return nil }); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

// A call that meets a handle in exclusive use is told that it is busy, never that it is closed.
func TestLifeExcluded(t *testing.T) {
	l := newLife()
	var stop atomic.Bool
	var refused atomic.Int64
	met := make(chan error, 1)
	go func() {
		for !stop.Load() {
			err := l.enter("use")
			if err == nil {
				l.leave()
			} else if errors.Is(err, ErrBusy) {
				refused.Add(1)
			} else {
				met <- err
				return
			}
		}
		met <- nil
	}()
	defer stop.Store(true)
	for i := 0; (i < 200000 || refused.Load() == 0) && len(met) == 0; i++ {
		if err := l.exclude("exclude", func() error { return nil }); err != nil {
			t.Fatal(err)
		}
		if i >= 200000 {
			runtime.Gosched()
		}
	}
	stop.Store(true)
	if err := <-met; err != nil {
		t.Error(err)
	}
}
