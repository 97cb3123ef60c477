package deflate

import "hash/crc32"

// powers has x^(2^k) modulo the polynomial of CRC-32 (RFC 1952 section 8). In all polynomials
// here, the highest bit is the coefficient of x^0. The powers repeat: x^(2^32) is x.
var powers = func() (p [32]uint32) {
	p[0] = 1 << 30 // x
	for k := 1; k < len(p); k++ {
		p[k] = multiply(p[k-1], p[k-1])
	}
	return p
}()

// An Operator combines the CRC-32 of two texts. It has the length of the second one. Get one
// from [Shift]: the zero value is invalid.
type Operator uint32 // x^(8n) modulo the polynomial

// Shift returns the operator for a second text of n bytes, where n is 0 or more.
func Shift(n int) Operator {
	p := uint32(1 << 31) // 1
	for k := 3; n != 0; k++ {
		if n&1 != 0 {
			p = multiply(p, powers[k%len(powers)])
		}
		n >>= 1
	}
	return Operator(p)
}

// Combine returns the CRC-32 of a text with CRC-32 a followed by one with CRC-32 b.
func (o Operator) Combine(a, b uint32) uint32 {
	return multiply(uint32(o), a) ^ b
}

// multiply returns a times b modulo the polynomial.
func multiply(a, b uint32) uint32 {
	var product uint64
	for i := range 32 {
		product ^= uint64(b) << i & -uint64(a>>i&1) // without a branch, as the bits are random
	}
	product <<= 1 // now x^0 is the highest bit, and the lower half lacks a factor x^32
	low := uint32(product)
	for range 4 {
		low = crc32.IEEETable[byte(low)] ^ low>>8 // times x^8
	}
	return uint32(product>>32) ^ low
}
