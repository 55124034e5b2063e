package show

import (
	"bytes"
	"encoding/json"
	"io"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

// compact makes JSON whose bytes do not change from run to run: protojson varies its blanks on purpose.
func compact(m proto.Message) (json.RawMessage, error) {
	raw, err := protojson.MarshalOptions{EmitDefaultValues: false}.Marshal(m)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = json.Compact(&b, raw)
	return b.Bytes(), err
}

// Message is a message as a part of other JSON.
func Message(m proto.Message) (json.RawMessage, error) { return compact(m) }

// JSON prints any value indented.
func JSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// MessageJSON prints a message as protojson, indented.
func MessageJSON(w io.Writer, m proto.Message) error {
	raw, err := compact(m)
	if err != nil {
		return err
	}
	return JSON(w, raw)
}

// ListJSON prints messages as a JSON array, [] when there are none.
func ListJSON[M proto.Message](w io.Writer, list []M) error {
	out := make([]json.RawMessage, len(list))
	for i, m := range list {
		raw, err := compact(m)
		if err != nil {
			return err
		}
		out[i] = raw
	}
	return JSON(w, out)
}
