package actors

import (
	"time"

	"golang.org/x/sys/unix"
)

// bootClock takes its monotonic face from the kernel's boot clock, which counts on while the machine sleeps.
type bootClock struct{ runtimeClock }

func (c bootClock) Monotonic() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		return c.runtimeClock.Monotonic()
	}
	return time.Duration(t.Nano())
}

// systemClock is the clock of the machine.
func systemClock() Clock {
	c := bootClock{newRuntimeClock()}
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		return c.runtimeClock // Kernels before 2.6.39 have no boot clock.
	}
	return c
}
