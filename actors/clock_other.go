//go:build !linux

package actors

// systemClock is the clock of the machine.
func systemClock() Clock { return newRuntimeClock() }
