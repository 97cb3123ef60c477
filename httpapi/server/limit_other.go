//go:build !unix

package server

// connectionLimit returns how many connections a server may have.
func connectionLimit() int { return maxConnections }
