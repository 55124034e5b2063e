package outcome

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"slices"
)

// Form is the order of the keys of a JSON text.
type Form struct {
	keys []string
	of   map[string]*Form
}

// ReadForm reads the form of the summary from the example in the day's folder.
func ReadForm(day fs.FS) (*Form, error) {
	raw, err := fs.ReadFile(day, "summary.example.json")
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	f := &Form{of: map[string]*Form{}}
	if err := f.read(d); err != nil && err != io.EOF {
		return nil, fmt.Errorf("summary.example.json: %w", err)
	}
	return f, nil
}

// read reads one value; the summary has no lists.
func (f *Form) read(d *json.Decoder) error {
	token, err := d.Token()
	if err != nil || token != json.Delim('{') {
		return err
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return err
		}
		name, ok := key.(string)
		if !ok {
			return fmt.Errorf("key %v", key)
		}
		child := &Form{of: map[string]*Form{}}
		if err := child.read(d); err != nil {
			return err
		}
		f.keys = append(f.keys, name)
		f.of[name] = child
	}
	_, err = d.Token()
	return err
}

// Write writes the summary as JSON, with its keys in the order of the form. Keys that the form does not have follow by name.
func (s Summary) Write(out io.Writer, f *Form) error {
	raw, err := json.Marshal(s)
	if err != nil {
		return err
	}
	var ordered, indented bytes.Buffer
	if err := f.write(&ordered, raw); err != nil {
		return err
	}
	if err := json.Indent(&indented, ordered.Bytes(), "", " "); err != nil {
		return err
	}
	indented.WriteByte('\n')
	_, err = out.Write(indented.Bytes())
	return err
}

func (f *Form) write(out *bytes.Buffer, raw json.RawMessage) error {
	if raw[0] != '{' {
		out.Write(raw)
		return nil
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(raw, &fields); err != nil {
		return err
	}
	var names []string
	if f != nil {
		names = slices.DeleteFunc(slices.Clone(f.keys), func(k string) bool { return fields[k] == nil })
	}
	for _, k := range keys(fields) {
		if !slices.Contains(names, k) {
			names = append(names, k)
		}
	}
	out.WriteByte('{')
	for i, k := range names {
		if i > 0 {
			out.WriteByte(',')
		}
		name, err := json.Marshal(k)
		if err != nil {
			return err
		}
		out.Write(name)
		out.WriteByte(':')
		var child *Form
		if f != nil {
			child = f.of[k]
		}
		if err := child.write(out, fields[k]); err != nil {
			return err
		}
	}
	out.WriteByte('}')
	return nil
}
