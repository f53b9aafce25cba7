package store

import (
	"strings"

	"weir/messages"
)

const (
	// maxLosses bounds how many different losses are kept; more are added to those of the same kind.
	maxLosses = 64
	// maxDetail bounds the sentence of a loss in bytes.
	maxDetail = 256
)

// otherSource names the losses that were added up over several sources to keep them few.
const otherSource = "(other)"

// MergeLosses adds more losses to a list: those of the same source and kind become one, with the sums
// of their counts (of flows without counters, the most there were at once) and the span that holds both.
// The list stays short whatever is added.
func MergeLosses(list, more []messages.Loss) []messages.Loss {
	for _, l := range more {
		if at := find(list, l.Source, l.Kind); at >= 0 {
			join(&list[at], l)
			continue
		}
		if len(list) < maxLosses {
			l.Detail = clip(l.Detail)
			list = append(list, l)
			continue
		}
		list = crowd(list, l)
	}
	return list
}

// crowd adds a loss to a list that is full.
func crowd(list []messages.Loss, l messages.Loss) []messages.Loss {
	at := find(list, otherSource, l.Kind)
	if at < 0 && len(list) < 2*maxLosses {
		l.Source, l.Detail = otherSource, "More sources than are told apart."
		return append(list, l)
	}
	if at < 0 {
		at = len(list) - 1
	}
	join(&list[at], l)
	return list
}

func find(list []messages.Loss, source string, kind messages.LossKind) int {
	for i := range list {
		if list[i].Source == source && list[i].Kind == kind {
			return i
		}
	}
	return -1
}

func join(into *messages.Loss, l messages.Loss) {
	if l.Kind == messages.LossUncounted {
		into.Count = max(into.Count, l.Count) // Each slice tells of the same flows again.
	} else {
		into.Count += l.Count
	}
	into.Bytes += l.Bytes
	into.Span = Hull(into.Span, l.Span)
	if into.Source != otherSource && l.Detail != "" {
		into.Detail = clip(l.Detail)
	}
}

// clip keeps a copy of the beginning of a sentence, so that it holds on to nothing larger.
func clip(s string) string {
	return strings.ToValidUTF8(strings.Clone(s[:min(len(s), maxDetail)]), "\uFFFD")
}
