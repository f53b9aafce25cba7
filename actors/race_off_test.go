//go:build !race

package actors

// raceEnabled says that the race detector is on.
const raceEnabled = false
