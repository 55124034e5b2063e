// Package order is for customers' orders: what was ordered, what was promised, and how far each line's quantity has come.
//
// It promises that the quantities of a line always add up (Quantities cannot be made otherwise), that the states of an order
// towards carrier, goods and money are computed from them and never stored, that one table decides which verb a commercial
// state knows, and that a fact told twice or in another order ends in the same numbers. Verbs take an Order and
// return the changed one with the facts to tell; nothing here reads a clock, a store or a network. What master data holds
// comes through Catalog. Left to others: who may do it (api), and keeping it (store).
package order
