// Package x12 reads and writes ASC X12 interchanges.
//
// It turns bytes into segments, segments into interchanges, groups and sets,
// and those back into the same bytes. It needs only the standard library and
// knows nothing of partners, control number series or business documents.
//
// # Reading
//
// Separators are read from the ISA of each interchange and never assumed. The
// segment terminator may be any character that is neither a letter, a digit
// nor a blank, including characters of several bytes in UTF-8. Two ways in:
//
//   - [NewReader] gives one [Event] per segment in flat memory;
//   - [Parse] collects the events into a [File]; [ParseBare] does so for sets
//     which come without ISA and GS.
//
// Reading does not stop at the first fault. What is wrong is a [Finding]: its
// severity, its place (interchange, group, set, segment, element, component,
// byte range) and the code which an acknowledgement would carry for it. Only
// input which cannot be cut into segments ends with an error.
//
// # Dictionary
//
// Elements, segments and sets are tables (elements4010.go, segments4010.go and
// one file per set). GS08, not ISA12, decides which table applies. A set of
// another release is read by the 004010 table with all findings lowered to
// warnings, since later releases only append elements to the segments used
// here. A set without a table is checked for its envelope only. No code list
// is applied unless the table lists codes.
//
// # Writing
//
// [Write] needs the parsed values alone, never the raw bytes. What is not
// data but differs between senders (white space after the terminator, a
// missing last terminator) is kept as facts in [Format]. For outbound
// interchanges [Options.Outbound] pads the ISA, drops trailing empty elements
// and refuses or replaces data which contains a separator.
//
// # Acknowledging
//
// [Acknowledge] and [Acknowledger] make the body of a 997 from the findings
// of one group.
//
// What this package leaves to others: envelope numbers and addresses, partner
// agreements (which sets, which usage indicator, which deviations are
// tolerated), duplicates of whole interchanges, and the meaning of a document.
package x12
