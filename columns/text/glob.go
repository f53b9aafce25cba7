package text

import "strings"

// glob reads an operand with stars and gives its test; a star stands for any run of bytes, also for none.
// The case of the letters A to Z does not matter. The test goes over a value once, whatever the operand.
func glob(operand string) (match func(string) bool, ok bool) {
	head, rest, ok := strings.Cut(ToLower(operand), "*")
	if !ok {
		return nil, false
	}
	var middle []string
	tail := rest
	for {
		piece, after, more := strings.Cut(tail, "*")
		if !more {
			break
		}
		if piece != "" {
			middle = append(middle, piece)
		}
		tail = after
	}
	return func(v string) bool {
		v = ToLower(v)
		v, starts := strings.CutPrefix(v, head)
		v, ends := strings.CutSuffix(v, tail)
		if !starts || !ends {
			return false
		}
		for _, piece := range middle {
			// The first place is as good as any: it leaves most for the pieces that follow.
			_, after, found := strings.Cut(v, piece)
			if !found {
				return false
			}
			v = after
		}
		return true
	}, true
}
