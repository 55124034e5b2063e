package show

import (
	"fmt"
	"io"
	"strings"

	"google.golang.org/genproto/googleapis/type/date"
	moneypb "google.golang.org/genproto/googleapis/type/money"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"

	typev1 "crossdock.dev/gen/crossdock/type/v1"
)

// Detail prints what a message says, one field a line in the order of the contract, what is not set left out. Lists of
// messages become tables where they can, explanations trees.
func Detail(w io.Writer, m proto.Message) error {
	d := detail{w: w}
	d.message(m.ProtoReflect(), "")
	return d.err
}

type detail struct {
	w   io.Writer
	err error
}

func (d *detail) printf(format string, args ...any) {
	if d.err == nil {
		_, d.err = fmt.Fprintf(d.w, format, args...)
	}
}

func (d *detail) message(m protoreflect.Message, indent string) {
	fields := m.Descriptor().Fields()
	width := 0
	for i := range fields.Len() {
		if f := fields.Get(i); m.Has(f) && d.short(f, m.Get(f)) {
			width = max(width, len(label(f)))
		}
	}
	for i := range fields.Len() {
		f := fields.Get(i)
		if !m.Has(f) {
			continue
		}
		v := m.Get(f)
		switch {
		case d.short(f, v):
			d.printf("%s%-*s  %s\n", indent, width, label(f), d.text(f, v))
		case f.IsList():
			d.printf("%s%s\n", indent, label(f))
			d.list(f, v.List(), indent+"  ")
		default:
			d.printf("%s%s\n", indent, label(f))
			if e, ok := v.Message().Interface().(*typev1.Explanation); ok {
				d.explanation(e, indent+"  ")
			} else {
				d.message(v.Message(), indent+"  ")
			}
		}
	}
}

func label(f protoreflect.FieldDescriptor) string {
	return strings.ReplaceAll(string(f.Name()), "_", " ")
}

// short says whether a field fits on one line.
func (d *detail) short(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
	if f.IsMap() {
		return false
	}
	if f.Message() == nil {
		return true
	}
	if f.IsList() {
		return false
	}
	_, ok := known(v.Message().Interface())
	return ok
}

// known is the text of a message that is one value.
func known(m proto.Message) (string, bool) {
	switch m := m.(type) {
	case *moneypb.Money:
		return Money(m), true
	case *timestamppb.Timestamp:
		return Time(m), true
	case *date.Date:
		return Date(m), true
	case *typev1.EventTime:
		return EventTime(m), true
	case *typev1.Quantity:
		return Quantity(m), true
	case *typev1.ExternalId:
		return strings.Join(nonEmpty(m.GetSystem(), m.GetKind(), m.GetQualifier(), m.GetValue()), " "), true
	case *typev1.Charge:
		return strings.Join(nonEmpty(m.GetCode(), Money(m.GetAmount()), m.GetDescription()), "  "), true
	}
	return "", false
}

func nonEmpty(parts ...string) []string {
	out := parts[:0]
	for _, p := range parts {
		if p != "" {
			out = append(out, p)
		}
	}
	return out
}

// text is a field on one line.
func (d *detail) text(f protoreflect.FieldDescriptor, v protoreflect.Value) string {
	if f.IsList() {
		parts := make([]string, v.List().Len())
		for i := range parts {
			parts[i] = scalar(f, v.List().Get(i))
		}
		return strings.Join(parts, ", ")
	}
	return scalar(f, v)
}

func scalar(f protoreflect.FieldDescriptor, v protoreflect.Value) string {
	switch {
	case f.Message() != nil:
		text, _ := known(v.Message().Interface())
		return text
	case f.Enum() != nil:
		if e := f.Enum().Values().ByNumber(v.Enum()); e != nil {
			return strings.ToLower(strings.ReplaceAll(string(e.Name()), "_", " "))
		}
		return fmt.Sprint(v.Enum())
	case f.Kind() == protoreflect.BoolKind:
		if v.Bool() {
			return "yes"
		}
		return "no"
	case f.Kind() == protoreflect.BytesKind:
		return fmt.Sprintf("%d bytes", len(v.Bytes()))
	}
	return v.String()
}

// list prints messages: values one a line, others as a table of what fits on one line, with plain messages inside them as
// tables of their own below; anything deeper as blocks.
func (d *detail) list(f protoreflect.FieldDescriptor, l protoreflect.List, indent string) {
	if values, ok := valuesOf(l); ok {
		for _, v := range values {
			d.printf("%s%s\n", indent, v)
		}
		return
	}
	flat, inner, ok := d.shape(f.Message(), l)
	if !ok || len(flat) == 0 {
		for i := range l.Len() {
			d.printf("%s%d\n", indent, i+1)
			d.message(l.Get(i).Message(), indent+"  ")
		}
		return
	}
	columns := make([]Column, len(flat))
	rows := make([][]string, l.Len())
	for i, field := range flat {
		columns[i].Head = strings.ToUpper(label(field))
		for j := range rows {
			rows[j] = append(rows[j], d.cell(l.Get(j).Message(), field))
		}
	}
	d.table(columns, rows, indent)
	for _, field := range inner {
		d.printf("%s%s\n", indent, label(field))
		d.beside(field, l, indent+"  ")
	}
}

// shape sorts the set fields of a list's messages into those that fit into a cell and those that are plain messages
// themselves; ok is false when there is something deeper.
func (d *detail) shape(m protoreflect.MessageDescriptor, l protoreflect.List) (flat, inner []protoreflect.FieldDescriptor, ok bool) {
	for i := range m.Fields().Len() {
		field := m.Fields().Get(i)
		set, fits, plain := false, true, true
		for j := range l.Len() {
			item := l.Get(j).Message()
			if !item.Has(field) {
				continue
			}
			v := item.Get(field)
			set = true
			fits = fits && d.fits(field, v)
			plain = plain && field.Message() != nil && !field.IsList() && !field.IsMap() && d.plain(v.Message())
		}
		switch {
		case !set:
		case fits:
			flat = append(flat, field)
		case plain:
			inner = append(inner, field)
		default:
			return nil, nil, false
		}
	}
	return flat, inner, true
}

// fits says whether a field fits into a cell: one line, or a list of values.
func (d *detail) fits(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
	if d.short(f, v) {
		return true
	}
	if !f.IsList() || f.Message() == nil {
		return false
	}
	_, ok := valuesOf(v.List())
	return ok
}

func (d *detail) plain(m protoreflect.Message) bool {
	plain := true
	m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		plain = d.short(f, v)
		return plain
	})
	return plain
}

// cell is a field of a message in a table.
func (d *detail) cell(m protoreflect.Message, f protoreflect.FieldDescriptor) string {
	if !m.Has(f) {
		return None
	}
	if f.IsList() && f.Message() != nil {
		values, _ := valuesOf(m.Get(f).List())
		return strings.Join(values, "; ")
	}
	return d.text(f, m.Get(f))
}

// valuesOf is a list of messages that are one value each.
func valuesOf(l protoreflect.List) ([]string, bool) {
	var out []string
	for i := range l.Len() {
		text, ok := known(l.Get(i).Message().Interface())
		if !ok {
			return nil, false
		}
		out = append(out, text)
	}
	return out, true
}

// beside prints a plain message inside each item of a list, the items side by side; a row of nothing but zeros is left out.
func (d *detail) beside(field protoreflect.FieldDescriptor, l protoreflect.List, indent string) {
	columns := []Column{{}}
	for i := range l.Len() {
		columns = append(columns, Column{Head: fmt.Sprint(i + 1), Right: true})
	}
	var rows [][]string
	fields := field.Message().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		row, told := []string{label(f)}, false
		for j := range l.Len() {
			cell := d.cell(l.Get(j).Message().Get(field).Message(), f)
			told = told || cell != None && cell != "0"
			row = append(row, cell)
		}
		if told {
			rows = append(rows, row)
		}
	}
	d.table(columns, rows, indent)
}

func (d *detail) table(columns []Column, rows [][]string, indent string) {
	var b strings.Builder
	if err := Table(&b, columns, rows); err != nil {
		d.err = err
		return
	}
	for line := range strings.Lines(b.String()) {
		d.printf("%s%s", indent, line)
	}
}

func (d *detail) explanation(e *typev1.Explanation, indent string) {
	line := e.GetLabel()
	if e.GetValue() != "" {
		line += ": " + e.GetValue()
	}
	if e.GetRule() != "" {
		line += " (" + e.GetRule() + ")"
	}
	if e.GetSource() != "" {
		line += " [" + e.GetSource() + "]"
	}
	d.printf("%s%s\n", indent, line)
	for _, c := range e.GetChildren() {
		d.explanation(c, indent+"  ")
	}
}
