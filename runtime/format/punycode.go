package format

import (
	"math"
	"strings"
	"unicode/utf8"
)

// The parameters of RFC 3492.
const (
	punyBase    = 36
	punyMin     = 1
	punyMax     = 26
	punySkew    = 38
	punyDamp    = 700
	punyBias    = 72
	punyInitial = 128
)

// encodePunycode encodes a text as RFC 3492 defines it.
func encodePunycode(s string) (string, bool) {
	var out []byte
	text := []rune(s)
	for _, r := range text {
		if r < utf8.RuneSelf {
			out = append(out, byte(r))
		}
	}
	basic := len(out)
	done := basic
	if basic > 0 {
		out = append(out, '-')
	}
	n, delta, bias := rune(punyInitial), 0, punyBias
	for done < len(text) {
		next := rune(math.MaxInt32)
		for _, r := range text {
			if r >= n && r < next {
				next = r
			}
		}
		delta += int(next-n) * (done + 1)
		n = next
		for _, r := range text {
			if r < n {
				delta++
			}
			if r != n {
				continue
			}
			rest := delta
			for k := punyBase; ; k += punyBase {
				t := threshold(k, bias)
				if rest < t {
					break
				}
				out = append(out, punyDigit(t+(rest-t)%(punyBase-t)))
				rest = (rest - t) / (punyBase - t)
			}
			out = append(out, punyDigit(rest))
			bias = adapt(delta, done+1, done == basic)
			delta = 0
			done++
		}
		if len(out) > maxLabel {
			return "", false
		}
		delta++
		n++
	}
	return string(out), true
}

// decodePunycode returns the reverse of encodePunycode.
func decodePunycode(s string) (string, bool) {
	var out []rune
	if i := strings.LastIndexByte(s, '-'); i >= 0 {
		out, s = []rune(s[:i]), s[i+1:]
	}
	n, i, bias := punyInitial, 0, punyBias
	for s != "" {
		before, weight := i, 1
		for k := punyBase; ; k += punyBase {
			if s == "" {
				return "", false
			}
			digit := strings.IndexByte(punyDigits, s[0])
			s = s[1:]
			if digit < 0 || digit > (math.MaxInt32-i)/weight {
				return "", false
			}
			i += digit * weight
			t := threshold(k, bias)
			if digit < t {
				break
			}
			if weight > math.MaxInt32/(punyBase-t) {
				return "", false
			}
			weight *= punyBase - t
		}
		bias = adapt(i-before, len(out)+1, before == 0)
		n += i / (len(out) + 1)
		i %= len(out) + 1
		if !utf8.ValidRune(rune(min(n, math.MaxInt32))) {
			return "", false
		}
		out = append(out[:i], append([]rune{rune(n)}, out[i:]...)...)
		i++
	}
	return string(out), true
}

const punyDigits = "abcdefghijklmnopqrstuvwxyz0123456789"

func punyDigit(n int) byte { return punyDigits[n] }

func threshold(k, bias int) int { return min(max(k-bias, punyMin), punyMax) }

func adapt(delta, points int, first bool) int {
	if first {
		delta /= punyDamp
	} else {
		delta /= 2
	}
	delta += delta / points
	k := 0
	for ; delta > (punyBase-punyMin)*punyMax/2; k += punyBase {
		delta /= punyBase - punyMin
	}
	return k + (punyBase-punyMin+1)*delta/(delta+punySkew)
}
