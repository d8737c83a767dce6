// SPDX-License-Identifier: Apache-2.0

package selsnap

import (
	"sync"
	"sync/atomic"
)

// Bits of life.state. shut keeps new calls out for good, unless the close fails; held, for a moment. The rest counts
// calls that are in. What a call has met is told by the bit that it saw: by the next look that can be gone.
const (
	shut = 1 << 62
	held = 1 << 61
)

// life lets any number of calls use a handle, and one close it: close waits for those that are in, later ones are refused.
// No call waits, so that a callback may use a handle that is being closed, and gets an error.
type life struct {
	state atomic.Int64
	owner sync.Mutex    // Held by who shuts; guards users and gone.
	users int           // What stands on the handle: open stores, views, slices. It cannot be closed meanwhile.
	gone  bool          // It was closed.
	idle  chan struct{} // Told by the last call that leaves while it is shut.
}

func newLife() *life { return &life{idle: make(chan struct{}, 1)} }

// enter begins a call; leave ends it.
func (l *life) enter(op string) error {
	met := l.state.Add(1) & (shut | held)
	if met == 0 {
		return nil
	}
	l.leave()
	if met == held {
		return &Error{Op: op, Code: ErrBusy}
	}
	return &Error{Op: op, Err: ErrClosed}
}

func (l *life) leave() {
	if left := l.state.Add(-1); left == shut || left == held {
		select {
		case l.idle <- struct{}{}:
		default:
		}
	}
}

// retain notes one more user; release takes it back.
func (l *life) retain(op string) error {
	l.owner.Lock()
	defer l.owner.Unlock()
	if l.gone {
		return &Error{Op: op, Err: ErrClosed}
	}
	l.users++
	return nil
}

// retainAlone is retain for who may be the only user.
func (l *life) retainAlone(op string) error {
	l.owner.Lock()
	defer l.owner.Unlock()
	if l.users > 0 {
		return &Error{Op: op, Code: ErrBusy, Detail: "the device is in use"}
	}
	if l.gone {
		return &Error{Op: op, Err: ErrClosed}
	}
	l.users++
	return nil
}

func (l *life) release() {
	l.owner.Lock()
	defer l.owner.Unlock()
	l.users--
}

// close runs f with no call in, unless it was closed before. If f says so, the handle stays open.
func (l *life) close(op string, f func() (closed bool, err error)) error {
	return l.alone(op, shut, f)
}

// exclude runs f with no call in; calls made meanwhile fail with ErrBusy.
func (l *life) exclude(op string, f func() error) error {
	l.owner.Lock()
	gone := l.gone
	l.owner.Unlock()
	if gone {
		return &Error{Op: op, Err: ErrClosed}
	}
	return l.alone(op, held, func() (bool, error) { return false, f() })
}

func (l *life) alone(op string, bit int64, f func() (bool, error)) error {
	l.owner.Lock()
	defer l.owner.Unlock()
	if l.gone {
		return nil
	}
	if l.users > 0 {
		return &Error{Op: op, Code: ErrBusy, Detail: "something that stands on it is still open"}
	}
	l.state.Add(bit)
	for l.state.Load() != bit {
		<-l.idle
	}
	closed, err := f()
	if closed {
		l.gone = true
	} else {
		l.state.Add(-bit)
	}
	return err
}
