// Package storage tests the whole program with its history on disk: what it answers over months, what it does when the
// disk is full or damaged, and the commands that look after it. It needs no network; the tests of a full disk need the
// right to mount.
package storage
