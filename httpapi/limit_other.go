//go:build !unix

package httpapi

// connectionLimit returns how many connections a server may have.
func connectionLimit() int { return maxConnections }
