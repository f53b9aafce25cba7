//go:build race

package names_test

// raceEnabled says whether the race detector is on.
const raceEnabled = true
