package sources

import "context"

// Checker is a [Config] that can say why its source would deliver nothing, before or while it runs.
type Checker interface {
	// Check looks without changing anything. The findings come in the order in which to mend them.
	Check(ctx context.Context) []Finding
}

// Level says how much a finding matters.
type Level string

// The levels.
const (
	// Good: as it should be.
	Good Level = "ok"
	// Notice: works, but the user should know.
	Notice Level = "notice"
	// Warning: something is missing from the answers, or will be.
	Warning Level = "warning"
	// Broken: there can be no data until it is mended.
	Broken Level = "error"
)

// Finding is one result of a check.
type Finding struct {
	Level Level
	// Subject is what was looked at: "net.netfilter.nf_conntrack_acct".
	Subject string
	// Text is one sentence that says what is, and what follows from it.
	Text string
	// Cure says exactly what to do, as a command where one exists; empty if nothing needs doing.
	Cure string
	// Changes are what `weir setup` would do about it; empty if it cannot.
	Changes []Change
}

// Change is one thing that `weir setup` changes, in a form that can be kept in a file and undone later.
type Change struct {
	// Kind is "write" (Path gets New; Old is what was there, absent if Created) or "run" (Do is run;
	// Undo takes it back).
	Kind string `json:"kind"`
	// Path of the file to write.
	Path string `json:"path,omitempty"`
	// Old content of the file.
	Old string `json:"old,omitempty"`
	// New content of the file.
	New string `json:"new,omitempty"`
	// Created says that there was no file before: undoing removes it.
	Created bool `json:"created,omitempty"`
	// Do is a command with its arguments.
	Do []string `json:"do,omitempty"`
	// Undo is the command that takes Do back.
	Undo []string `json:"undo,omitempty"`
	// Text says in words what changes.
	Text string `json:"text"`
}
