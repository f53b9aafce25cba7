package config

import "strings"

// nearest gives the name that differs least from a mistyped one, or "" if none is near. A name that only
// lacks its table is the nearest.
func nearest(wrong string, names []string) string {
	wrong = strings.ToLower(wrong)
	wrong = wrong[:min(len(wrong), maxCompared)]
	best, bestAt := "", len(wrong)/3+2
	for _, n := range names {
		d := distance(wrong, n)
		if strings.HasSuffix(n, "."+wrong) {
			d = 0
		}
		if d < bestAt {
			best, bestAt = n, d
		}
	}
	return best
}

// maxCompared bounds the letters that are compared, since the work grows with the product of two lengths.
const maxCompared = 64

// distance counts the letters to insert, delete, replace or swap.
func distance(a, b string) int {
	a, b = a[:min(len(a), maxCompared)], b[:min(len(b), maxCompared)]
	var rows [3][maxCompared + 1]int
	before, last, row := rows[0][:], rows[1][:], rows[2][:]
	for j := range len(b) + 1 {
		last[j] = j
	}
	for i := range len(a) {
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(row[j]+1, last[j+1]+1, last[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
