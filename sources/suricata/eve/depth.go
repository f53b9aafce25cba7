package eve

import "bytes"

// maxDepth is how deep objects and lists may be nested; Suricata's go to 8.
const maxDepth = 32

// tooDeep says whether the first value of line is nested deeper than maxDepth, or would be if it were JSON.
// Nearly all lines have fewer brackets than that and need not be looked at closely.
func tooDeep(line []byte) bool {
	if bytes.Count(line, []byte{'{'})+bytes.Count(line, []byte{'['}) <= maxDepth {
		return false
	}
	depth, quoted := 0, false
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '"':
			quoted = !quoted
		case c == '\\':
			i++
		case quoted:
		case c == '{' || c == '[':
			depth++
			if depth > maxDepth {
				return true
			}
		case c == '}' || c == ']':
			depth--
			if depth <= 0 {
				return false
			}
		}
	}
	return false
}
