//go:build !custom || sources || sources_suricata

package features

import _ "weir/sources/suricata" // Registers itself.
