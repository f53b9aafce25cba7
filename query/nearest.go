package query

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"weir/columns"
)

// maxNearest bounds the texts whose likeness is judged: the work grows with the product of both lengths.
const maxNearest = 64

// nearest gives the name that is most like a text, or nothing if none is.
func nearest(text string, names []string) string {
	if len(text) > maxNearest {
		return ""
	}
	best, least := "", 1+max(1, utf8.RuneCountInString(text)/3)
	for _, name := range names {
		if d := distance(strings.ToLower(text), name); d < least {
			best, least = name, d
		}
	}
	if best != "" {
		return best
	}
	// A word of a dotted name alone: "ip" for "local.ip".
	for _, name := range names {
		if strings.HasSuffix(name, "."+strings.ToLower(text)) {
			return name
		}
	}
	return ""
}

// distance counts the characters to insert, remove, change or swap with their neighbour to make a into b.
func distance(a, b string) int {
	s, t := []rune(a), []rune(b)
	var before []int
	last := make([]int, len(t)+1)
	for j := range last {
		last[j] = j
	}
	for i := range s {
		row := make([]int, len(t)+1)
		row[0] = i + 1
		for j := range t {
			cost := 1
			if s[i] == t[j] {
				cost = 0
			}
			row[j+1] = min(last[j]+cost, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && s[i] == t[j-1] && s[i-1] == t[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last = last, row
	}
	return last[len(t)]
}

// nearestColumn is the hint for a column that is not known.
func nearestColumn(text string) string {
	if isMeasure(text) {
		return text + " is a measure: it cannot choose rows"
	}
	if ends := endpoints(text); len(ends) > 0 {
		return "write " + strings.Join(ends, " or ")
	}
	if near := nearest(text, columns.Names()); near != "" {
		return "the nearest is " + near
	}
	return "weir columns lists those there are"
}

// endpoints are the columns of both ends that a name without an end may mean: local.name and remote.name.
func endpoints(text string) (found []string) {
	for _, end := range []string{"local.", "remote."} {
		if _, ok := columns.Lookup(end + strings.ToLower(text)); ok {
			found = append(found, end+strings.ToLower(text))
		}
	}
	return found
}

func (p *parser) columnOf(offset int) string {
	return strconv.Itoa(1 + utf8.RuneCountInString(p.lexer.text[:offset]))
}
