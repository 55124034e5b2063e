package rating

import "strings"

// Node is one step of an explanation. An amount's node says the rule that made it and where its inputs were published; its
// children say how the inputs came about. Nodes are for people and audits: programs read Charge.
type Node struct {
	Label    string // "line-haul", "as 5000 LBR"
	Value    string // "332.22 USD", "22.44 × 24.00 = 538.56"
	Rule     string // why: "dearer", "half-up to the minor unit"; may be empty
	Source   string // tariff, version, row, index date; may be empty
	Children []Node
}

// String writes the tree, one line per node, two blanks of indent per level.
func (n Node) String() string {
	var b strings.Builder
	n.write(&b, "")
	return b.String()
}

func (n Node) write(b *strings.Builder, indent string) {
	b.WriteString(indent + n.Label)
	if n.Value != "" {
		b.WriteString(": " + n.Value)
	}
	if n.Rule != "" {
		b.WriteString(" (" + n.Rule + ")")
	}
	if n.Source != "" {
		b.WriteString(" [" + n.Source + "]")
	}
	b.WriteByte('\n')
	for _, c := range n.Children {
		c.write(b, indent+"  ")
	}
}
