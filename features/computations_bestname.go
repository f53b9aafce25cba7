//go:build !custom || computations || computations_bestname

package features

import _ "weir/computations/bestname" // Registers itself.
