// Package name gives each end of a flow the name that its user would expect, with the evidence for it, and
// the site that the name belongs to.
package name

import (
	"weir/columns"
	"weir/columns/text"
)

// longest is the length of the longest host name, in bytes.
const longest = 253

// Columns are local.name and remote.name: one name for each end.
var Columns = columns.RegisterEndpoint(text.Host("name",
	"The name that fits the end best, by a computation from what was seen on the wire; "+
		"local.name.source and remote.name.source say what told it.",
	longest, false, "www.example.org", "nas1"))

// All is local.names and remote.names: all names that any evidence gave.
var All = columns.RegisterEndpoint(text.Host("names",
	"All names of the end for which there was evidence, by a computation, the best one too.",
	longest, true, "www.example.org", "cdn.example.net"))

// Site is local.site and remote.site.
var Site = columns.RegisterEndpoint(text.Host("site",
	"The part of the name that somebody registered (example.co.uk of www.example.co.uk), by the public suffix list.",
	longest, false, "example.org", "example.co.uk"))
