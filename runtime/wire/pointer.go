package wire

import (
	"encoding/json"
	"strconv"
)

// openPointer returns the JSON Pointer of the value that follows an unfinished document,
// or of the object that it would be a property of.
func openPointer(document []byte) string {
	type level struct {
		array bool
		index int
		name  []byte // as JSON
	}
	var open []level
	for i := 0; i < len(document); i++ {
		switch document[i] {
		case '{':
			open = append(open, level{})
		case '[':
			open = append(open, level{array: true})
		case '}', ']':
			open = open[:max(len(open)-1, 0)]
		case ',':
			if last := len(open) - 1; last >= 0 {
				open[last].index++
				open[last].name = nil
			}
		case '"':
			start := i
			for i++; i < len(document) && document[i] != '"'; i++ {
				if document[i] == '\\' {
					i++
				}
			}
			if last := len(open) - 1; last >= 0 && !open[last].array && i+1 < len(document) && document[i+1] == ':' {
				open[last].name = document[start : i+1]
			}
		}
	}
	if last := len(open) - 1; last >= 0 && document[len(document)-1] != ':' {
		open[last].name = nil // its value is complete
	}
	var pointer []byte
	for _, l := range open {
		switch {
		case l.array:
			pointer = strconv.AppendInt(append(pointer, '/'), int64(l.index), 10)
		case l.name != nil:
			var name string
			if json.Unmarshal(l.name, &name) == nil {
				pointer = appendSegment(pointer, name)
			}
		}
	}
	return string(pointer)
}
