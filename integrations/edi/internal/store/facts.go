package store

import (
	ediv1 "crossdock.dev/gen/crossdock/edi/v1"
	"crossdock.dev/integrations/edi/internal/message"
	"crossdock.dev/platform/store"
)

// tellIntake tells that an interchange came and was kept, and what was decided at once: of the whole where it waits or is
// refused as a whole, else of each set that is settled. What came says of its sets what they say themselves, since there may be
// many; what is told of one set leads to its case as well.
func tellIntake(tx *store.Tx, x message.Interchange, came, of []message.Set) error {
	if len(came) == 1 {
		came = of
	}
	names := related(x, came...)
	err := tx.Emit(store.Fact{Type: "MessageReceived", Subject: x.Name(), Related: names, Payload: &ediv1.MessageReceived{Interchange: Message(x, came)}})
	if err != nil {
		return err
	}
	switch x.Disposition {
	case message.Quarantined:
		return tx.Emit(store.Fact{Type: "MessageParked", Subject: x.Name(), Related: names, Payload: &ediv1.MessageParked{Interchange: Message(x, nil)}})
	case message.Unreadable:
		return tx.Emit(store.Fact{Type: "MessageRejected", Subject: x.Name(), Related: names, Payload: &ediv1.MessageRejected{Interchange: Message(x, nil)}})
	}
	for _, s := range of {
		if err := tellSet(tx, x, s); err != nil {
			return err
		}
	}
	return nil
}

// tellSet tells what became of a set. Of one in progress there is nothing to tell yet, of an acknowledgement there is no more
// than its interchange says.
func tellSet(tx *store.Tx, x message.Interchange, s message.Set) error {
	f := store.Fact{Subject: message.SetName(x.ID, s.Index), Related: append([]string{x.Name()}, related(x, s)...)}
	switch {
	case s.Disposition == message.Applied, s.Disposition == message.Duplicate,
		s.Disposition == message.Rejected && s.ReasonCode == message.FreightBillRejected: // billing tells of the refusal
		f.Type, f.Payload = "MessageApplied", &ediv1.MessageApplied{Interchange: x.Name(), Party: x.Party, TransactionSet: SetMessage(s)}
	case s.Disposition == message.Parked:
		f.Type, f.Payload = "MessageParked", &ediv1.MessageParked{Interchange: Message(x, nil), TransactionSet: SetMessage(s)}
	case s.Disposition == message.Rejected:
		f.Type, f.Payload = "MessageRejected", &ediv1.MessageRejected{Interchange: Message(x, nil), TransactionSet: SetMessage(s)}
	default:
		return nil
	}
	return tx.Emit(f)
}

// tellSent tells that one of ours went out. One that waited for a person waits no more.
func tellSent(tx *store.Tx, x message.Interchange, s message.Set, waited bool) error {
	if waited {
		if err := tellSet(tx, x, s); err != nil {
			return err
		}
	}
	return tx.Emit(store.Fact{Type: "MessageSent", Subject: x.Name(), Related: related(x, s), Payload: &ediv1.MessageSent{
		Interchange: Message(x, []message.Set{s}),
	}})
}

// tellAcknowledged tells what a partner said of one of ours, and that it was refused where it was.
func tellAcknowledged(tx *store.Tx, x message.Interchange, s message.Set, by message.Interchange) error {
	names := related(x, s)
	err := tx.Emit(store.Fact{
		Type: "MessageAcknowledged", Subject: x.Name(), Related: append(names[:len(names):len(names)], "interchange:"+by.Name()),
		Payload: &ediv1.MessageAcknowledged{Interchange: Message(x, []message.Set{s}), AcknowledgedBy: by.Name()},
	})
	if err != nil || message.AcceptsGroup(x.AnswerCode) {
		return err
	}
	return tx.Emit(store.Fact{
		Type: "MessageRejected", Subject: message.SetName(x.ID, s.Index), Related: append([]string{x.Name()}, names...),
		Payload: &ediv1.MessageRejected{Interchange: Message(x, nil), TransactionSet: SetMessage(s)},
	})
}

// related are the names and numbers that lead to an interchange and its sets.
func related(x message.Interchange, of ...message.Set) []string {
	names := []string{"interchange:" + x.Name()}
	if x.Party != "" {
		names = append(names, x.Party)
	}
	// One of ours leads to what it answers. The other way round nothing has been told of the answer yet.
	if x.Answer != "" && x.Direction == message.Outbound {
		names = append(names, "interchange:"+message.Name(x.Answer))
	}
	seen := map[string]bool{}
	for _, s := range of {
		list := s.Related
		if s.Result != "" {
			list = append(list[:len(list):len(list)], s.Result)
		}
		for _, name := range list {
			if !seen[name] {
				seen[name] = true
				names = append(names, name)
			}
		}
	}
	return names
}
