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

// Detail prints everything that a message says, one field a line in the order of the contract, what is not set left out.
// Lists of plain messages become tables, explanations trees.
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

// list prints messages: values one a line, plain messages as a table, others as blocks.
func (d *detail) list(f protoreflect.FieldDescriptor, l protoreflect.List, indent string) {
	if l.Len() > 0 {
		if _, ok := known(l.Get(0).Message().Interface()); ok {
			for i := range l.Len() {
				text, _ := known(l.Get(i).Message().Interface())
				d.printf("%s%s\n", indent, text)
			}
			return
		}
	}
	if columns, rows, ok := d.rows(f, l); ok {
		d.table(columns, rows, indent)
		return
	}
	for i := range l.Len() {
		d.printf("%s%d\n", indent, i+1)
		d.message(l.Get(i).Message(), indent+"  ")
	}
}

// rows makes a table of messages whose set fields all fit on one line.
func (d *detail) rows(f protoreflect.FieldDescriptor, l protoreflect.List) (columns []Column, rows [][]string, ok bool) {
	fields := f.Message().Fields()
	for i := range fields.Len() {
		field := fields.Get(i)
		set := false
		for j := range l.Len() {
			m := l.Get(j).Message()
			if !m.Has(field) {
				continue
			}
			if set = true; !d.short(field, m.Get(field)) {
				return nil, nil, false
			}
		}
		if !set {
			continue
		}
		columns = append(columns, Column{Head: strings.ToUpper(label(field))})
		for j := range l.Len() {
			if len(rows) <= j {
				rows = append(rows, nil)
			}
			cell := None
			if m := l.Get(j).Message(); m.Has(field) {
				cell = d.text(field, m.Get(field))
			}
			rows[j] = append(rows[j], cell)
		}
	}
	return columns, rows, len(columns) > 0
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
