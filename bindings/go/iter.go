// SPDX-License-Identifier: Apache-2.0

package selsnap

import "errors"

// Iter goes through what the library lists, one by one:
//
//	it := store.Snapshots()
//	for it.Next() {
//		fmt.Println(it.Value().Name)
//	}
//	if err := it.Err(); err != nil { ... }
//
// Each step looks at the store anew, so that nothing is held between steps, and there is nothing to close. An Iter is for
// one goroutine at a time.
type Iter[T any] struct {
	step  func() (T, error) // errEnd: no more
	value T
	err   error
	ended bool
}

// errEnd ends an Iter.
var errEnd = errors.New("no more")

// ended is errEnd for ErrNotExist, and any other error as it is.
func ended(err error) error {
	if errors.Is(err, ErrNotExist) {
		return errEnd
	}
	return err
}

// endedOf is ended for what belongs to a snapshot, which must be there.
func (s *Store) endedOf(id uint64, err error) error {
	if errors.Is(err, ErrNotExist) {
		if _, err := s.Snapshot(id); err != nil {
			return err
		}
	}
	return ended(err)
}

// Next goes on to the next one. It returns false after the last one, or when that failed; Err tells which.
func (it *Iter[T]) Next() bool {
	if it.ended {
		return false
	}
	value, err := it.step()
	if err != nil {
		it.ended = true
		if err != errEnd {
			it.err = err
		}
		return false
	}
	it.value = value
	return true
}

// Value is the one that Next went to.
func (it *Iter[T]) Value() T { return it.value }

// Err is why Next could not go on; nil after the last one.
func (it *Iter[T]) Err() error { return it.err }

// All goes through what is left, and returns it.
func (it *Iter[T]) All() ([]T, error) {
	var all []T
	for it.Next() {
		all = append(all, it.Value())
	}
	return all, it.Err()
}
