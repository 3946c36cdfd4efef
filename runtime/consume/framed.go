package consume

// Body returns the value without the schema id that serialisers of a schema registry put
// before it: a byte 0 and four bytes, or a byte 1 and a GUID of 16 bytes. JSON begins with
// neither, so a value without a schema id is returned unchanged. Typed handlers and the
// methods below read this; handlers of [Router.Handle] get the unchanged value.
func (m Message) Body() []byte {
	const number, guid = 4, 16
	switch {
	case len(m.Value) > number && m.Value[0] == 0:
		return m.Value[1+number:]
	case len(m.Value) > guid && m.Value[0] == 1:
		return m.Value[1+guid:]
	}
	return m.Value
}
