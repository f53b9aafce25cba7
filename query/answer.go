package query

import (
	"time"

	"weir/messages"
)

// Answer is what a question brought to light, and what it is worth.
type Answer struct {
	Columns []Column
	// Rows have a cell for each column. A row with a cell of kind [CellOther] sums what no other row of
	// its step shows.
	Rows [][]Cell
	// Range is what the answer really covers, in whole slices; zero if nothing. Asked is what was asked for.
	Range, Asked messages.Span
	// Resolution is the longest slice that was read, Step the length of the steps of a timeline or 0.
	Resolution, Step time.Duration
	// Exact says that the rows are the whole truth for Range; if not, Why says what they may lack.
	Exact bool
	Why   []string
	// Notes say where the question was not taken literally and what else helps to read the answer.
	Notes []string
	Loss  []messages.Loss
	// Parts say which tier answered for which part of the range, in order of time.
	Parts []Part
	// SlicesRead and RowsRead say how much was looked at, Elapsed how long that took.
	SlicesRead, RowsRead uint64
	Elapsed              time.Duration
}

// Column describes the cells at one place of all rows.
type Column struct {
	Name string
	// Type is "time", "integer", or what the registered column calls its values.
	Type string
	// Unit is "bytes", "packets", …; empty unless the cells are quantities.
	Unit string
	// Measure tells sums from what was grouped by.
	Measure bool
	// Set says that the cells hold sets of values.
	Set bool
}

// CellKind says what a cell holds.
type CellKind uint8

// The kinds of cells.
const (
	// CellNone: the flows of the row have no value here.
	CellNone CellKind = iota
	// CellText: one value, as the column formats it.
	CellText
	// CellNumber: a sum.
	CellNumber
	// CellTime: the start of a step.
	CellTime
	// CellOther: the row sums all groups that have no row of their own.
	CellOther
	// CellSet: the values of a set, each as the column formats it, in the order of the column.
	CellSet
)

// Cell is one value of an answer.
type Cell struct {
	Kind   CellKind
	Text   string
	Texts  []string
	Number uint64
	Time   time.Time
}

// IsOther says whether a row sums what no other row of its step shows.
func IsOther(row []Cell) bool {
	for _, c := range row {
		if c.Kind == CellOther {
			return true
		}
	}
	return false
}
