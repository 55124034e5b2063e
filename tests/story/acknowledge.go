package story

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	ediv1 "crossdock.dev/gen/crossdock/edi/v1"
)

// acknowledge answers the first file with a set that was sent to a party, as the program behind the party's mailbox does without
// anybody looking. Played again, it brings the same bytes.
func acknowledge(ctx context.Context, w World, party, set string) error {
	_, err := await(ctx, w, "edi", func(m *ediv1.MessageSent) bool {
		sets := m.GetInterchange().GetTransactionSets()
		return m.GetInterchange().GetParty() == "parties/"+party && len(sets) > 0 && sets[0].GetSet() == set
	})
	if err != nil {
		return err
	}
	files, err := w.Outbox(ctx)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		text := string(files[name])
		if !strings.HasPrefix(name, party+"/") || !strings.Contains(text, "ST*"+set+"*") {
			continue
		}
		answer, err := FunctionalAck(text)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := w.Drop(ctx, "997-"+party+"-"+set+".edi", answer); err != nil {
			return err
		}
		// Business time does not go on before it is booked.
		_, err = await(ctx, w, "edi", func(m *ediv1.MessageAcknowledged) bool {
			return strings.HasSuffix(name, "/"+m.GetInterchange().GetFileName())
		})
		return err
	}
	return fmt.Errorf("no %s for %s among the files sent", set, party)
}

// FunctionalAck is the 997 that accepts an interchange of one group, between the same addresses the other way round.
func FunctionalAck(text string) ([]byte, error) {
	const header = 106 // ISA with its terminator
	if len(text) < header {
		return nil, fmt.Errorf("%d bytes are no interchange", len(text))
	}
	end := text[header-1 : header]
	isa := strings.Split(text[:header-1], "*")
	gs := strings.Split(strings.TrimSpace(strings.SplitN(text[header:], end, 2)[0]), "*")
	if len(isa) != 17 || len(gs) != 9 {
		return nil, fmt.Errorf("ISA with %d elements, GS with %d", len(isa)-1, len(gs)-1)
	}
	group, functional := gs[6], gs[1]
	isa[5], isa[6], isa[7], isa[8] = isa[7], isa[8], isa[5], isa[6]
	isa[13] = "9" + isa[13][1:] // a series of the partner's own
	gs[1], gs[2], gs[3], gs[6] = "FA", gs[3], gs[2], "9"+group
	segments := []string{
		strings.Join(isa, "*"), strings.Join(gs, "*"), "ST*997*0001", "AK1*" + functional + "*" + group, "AK9*A*1*1*1", "SE*4*0001",
		"GE*1*" + gs[6], "IEA*1*" + isa[13],
	}
	return []byte(strings.Join(segments, end+"\n") + end + "\n"), nil
}
