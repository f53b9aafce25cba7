package eve

// record is what stands beside each other in a dns object up to version 2: the question, or one answer.
type record struct {
	Answer
	// named is whether there is a name or a type, full whether there is more, which a question has not.
	named, full bool
}

// dns reads a dns object of any version, or an mdns object.
func (d *Decoder) dns(n *DNS, multicast bool) bool {
	*n = DNS{Queries: n.Queries[:0], Answers: n.Answers[:0], Grouped: n.Grouped[:0]}
	return d.message(n, multicast)
}

// message reads what a dns object says, which in an alert may stand one level deeper.
func (d *Decoder) message(n *DNS, multicast bool) bool {
	var own record
	ok := d.object()
	for ok && d.field() {
		key := d.key
		switch string(key) {
		case "version":
			n.Version = d.small()
		case "type":
			n.Type = d.text(maxWord)
		case "id":
			n.ID, _ = d.uint(maxUint64)
		case "rcode":
			n.Rcode = d.rcode()
		case "queries":
			n.Queries = d.queries(n.Queries[:0])
		case "answers":
			n.Answers = d.answers(n.Answers)
		case "grouped":
			n.Grouped = d.grouped(n.Grouped[:0])
		case "query":
			d.asked(n)
		case "answer":
			d.message(n, false)
		case "additionals":
			if multicast {
				n.Answers = d.answers(n.Answers)
			} else {
				d.skip()
			}
		default:
			d.recordField(&own, key)
		}
	}
	n.add(&own)
	return ok
}

// add adds what stood in the object itself.
func (n *DNS) add(own *record) {
	switch {
	case own.full && len(n.Answers) < maxRecords:
		n.Answers = append(n.Answers, own.Answer)
	case own.named && len(n.Queries) == 0:
		n.Queries = append(n.Queries, Query{Name: own.Owner, Type: own.Type})
	}
}

// asked reads the list that alerts have: a question each.
func (d *Decoder) asked(n *DNS) {
	ok := d.array()
	for ok && d.element() {
		if d.fits(len(n.Queries), maxRecords) {
			d.question(n)
		}
	}
}

// question reads a question with its type and identifier beside it.
func (d *Decoder) question(n *DNS) {
	var own record
	ok := d.object()
	for ok && d.field() {
		switch key := d.key; string(key) {
		case "type":
			n.Type = d.text(maxWord)
		case "id":
			n.ID, _ = d.uint(maxUint64)
		default:
			d.recordField(&own, key)
		}
	}
	if ok && own.named {
		n.Queries = append(n.Queries, Query{Name: own.Owner, Type: own.Type})
	}
}

// queries reads a list of questions.
func (d *Decoder) queries(list []Query) []Query {
	ok := d.array()
	for ok && d.element() {
		if !d.fits(len(list), maxRecords) {
			continue
		}
		var own record
		if d.record(&own) {
			list = append(list, Query{Name: own.Owner, Type: own.Type})
		}
	}
	return list
}

// answers appends a list of records to list.
func (d *Decoder) answers(list []Answer) []Answer {
	ok := d.array()
	for ok && d.element() {
		if !d.fits(len(list), maxRecords) {
			continue
		}
		var own record
		if d.record(&own) {
			list = append(list, own.Answer)
		}
	}
	return list
}

// record reads a record or a question.
func (d *Decoder) record(r *record) bool {
	ok := d.object()
	for ok && d.field() {
		d.recordField(r, d.key)
	}
	return ok
}

// recordField reads a field of a record. Multicast DNS has no type: the data are under its name.
func (d *Decoder) recordField(r *record, key []byte) {
	switch string(key) {
	case "rrname":
		r.Owner, r.named = d.text(maxName), true
	case "rrtype":
		r.Type, r.named = d.rrtype(), true
	case "ttl":
		r.TTL, r.full = d.uint32(), true
	case "rdata":
		r.Data, r.full = d.rdata(), true
	case "a", "aaaa", "ptr", "cname", "ns", "srv", "txt", "nsec", "soa", "sshfp":
		r.full = true
		if r.Type == "" {
			var room [8]byte
			r.Type = d.words.get(capitals(room[:0], key))
		}
		r.Data = d.rdata()
	default:
		d.skip()
	}
}

// grouped reads the values of answers by type.
func (d *Decoder) grouped(list []Answer) []Answer {
	ok := d.object()
	for ok && d.field() {
		kind := d.words.get(d.key)
		ok := d.array()
		for ok && d.element() {
			if d.fits(len(list), maxRecords) {
				list = append(list, Answer{Type: kind, Data: d.rdata()})
			}
		}
	}
	return list
}

// rdata reads the data of a record if they are a text, or the name in them, which a SRV record has. All
// other data are objects or lists, of which nothing is used.
func (d *Decoder) rdata() string {
	switch d.peek() {
	case '"':
		return d.text(maxName)
	case '{':
		return d.inner("name", maxName)
	default:
		d.skip()
		return ""
	}
}

// rrtype reads the type of a record in capitals, by its name if a version knew only its number.
func (d *Decoder) rrtype() string {
	var room [maxWord]byte
	b := capitals(room[:0], d.cut(maxWord))
	switch string(b) {
	case "64":
		return "SVCB"
	case "65":
		return "HTTPS"
	}
	return d.words.get(b)
}

// rcode reads the response code by its name; of multicast DNS it is a number.
func (d *Decoder) rcode() string {
	if b := d.peek(); b < '0' || b > '9' {
		return d.text(maxWord)
	}
	v, ok := d.uint(1<<16 - 1)
	if !ok {
		return ""
	}
	return rcodeName(v)
}
