package bestname

import (
	"weir/columns/name"
	"weir/messages"
)

// counts are what the computation has done.
type counts struct {
	answers, reverses, devices, unusable  uint64
	evaluated, tagged, renamed, ambiguous uint64
	reconsidered, deferred, missed        uint64
	unseen, gone, kept                    uint64
	named                                 [name.Host + 1]uint64
}

// Metrics tell how it goes.
func (c *computation) Metrics() []messages.Metric {
	n := &c.counts
	ms := []messages.Metric{
		counter("answers_total", "DNS answers taken in", n.answers),
		counter("reverse_answers_total", "answers to reverse lookups taken in", n.reverses),
		counter("device_facts_total", "leases, neighbours and names of devices taken in", n.devices),
		counter("unusable_facts_total", "facts that tell no name or no address", n.unusable),
		gauge("cache_entries", "entries in the cache", len(c.cache.entries)),
		gauge("cache_bytes", "what the cache takes of its budget", int(c.cache.bytes)),
		counter("cache_evicted_total", "entries that were forgotten for the budget", c.cache.evicted),
		counter("cache_capped_total", "names and clients forgotten as too many for one address", c.cache.capped),
		gauge("rules", "rules for names, the curated ones too", c.rules.len()),
		counter("evaluated_total", "times that a flow was looked at", n.evaluated),
		counter("reconsidered_total", "times that news of an address made a flow be looked at again",
			n.reconsidered),
		gauge("waiting", "flows that wait to be looked at", len(c.queue)),
		counter("deferred_total", "times that a flow had to wait for the next slice", n.deferred),
		counter("gone_total", "flows that were over before they were looked at", n.gone),
		counter("unseen_total", "flows named at once, with what was known, for lack of room to find them later",
			n.unseen),
		counter("missed_total", "addresses with news that were too many to look at their flows", n.missed),
		counter("tagged_total", "times that an end of a flow was tagged", n.tagged),
		counter("renamed_total", "ends that got another name than they had", n.renamed),
		counter("ambiguous_total", "times that an end got no name since several fit", n.ambiguous),
		counter("kept_total", "times that a name stayed though what it rests on was forgotten", n.kept),
	}
	for by := name.SNI; by <= name.Host; by++ {
		ms = append(ms, counter("named_"+by.String()+"_total", "ends that got their name by "+by.String(), n.named[by]))
	}
	return ms
}

func counter(metric, help string, n uint64) messages.Metric {
	return messages.Metric{Name: metric, Help: help, Value: float64(n)}
}

func gauge(metric, help string, n int) messages.Metric {
	return messages.Metric{Name: metric, Help: help, Gauge: true, Value: float64(n)}
}
