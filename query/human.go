package query

import "strconv"

// humanNumber prints a count in three or four digits: bytes in powers of 1024, others in powers of 1000.
func humanNumber(n uint64, unit string) string {
	if unit == "bytes" {
		return scaled(n, 1024, byteUnits())
	}
	return scaled(n, 1000, []string{"", " k", " M", " G", " T", " P", " E"})
}

func scaled(n, base uint64, names []string) string {
	if n < base {
		return strconv.FormatUint(n, 10) + names[0]
	}
	unit, i := base, 1
	for n/unit >= base && i < len(names)-1 {
		unit *= base
		i++
	}
	return strconv.FormatUint(n/unit, 10) + "." + strconv.FormatUint(n%unit*10/unit, 10) + names[i]
}

func byteUnits() []string { return []string{" B", " KiB", " MiB", " GiB", " TiB", " PiB", " EiB"} }
