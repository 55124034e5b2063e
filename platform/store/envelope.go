package store

import (
	"encoding/binary"
	"hash/crc32"
)

// A stored value is CRC32C (4 bytes) ‖ schema version (4 bytes) ‖ data. The checksum covers bucket name, key, version and
// data, so that a value that was altered, swapped with another or moved does not pass.
const envelopeSize = 8

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(bucket string, key, rest []byte) uint32 {
	sum := lengthChecksum(0, len(bucket))
	for i := range len(bucket) {
		sum = byteChecksum(sum, bucket[i])
	}
	sum = lengthChecksum(sum, len(key))
	sum = crc32.Update(sum, castagnoli, key)
	return crc32.Update(sum, castagnoli, rest)
}

// lengthChecksum adds a length as 4 bytes, the highest first.
func lengthChecksum(sum uint32, n int) uint32 {
	for shift := 24; shift >= 0; shift -= 8 {
		sum = byteChecksum(sum, byte(n>>shift))
	}
	return sum
}

// byteChecksum is crc32.Update for one byte, which does not have to stand in a slice.
func byteChecksum(sum uint32, b byte) uint32 { return ^(castagnoli[byte(^sum)^b] ^ ^sum>>8) }

// seal makes the stored value of data.
func seal(bucket string, key []byte, version uint32, data []byte) []byte {
	v := append(make([]byte, envelopeSize, envelopeSize+len(data)), data...)
	sealInPlace(bucket, key, version, v)
	return v
}

// sealInPlace fills in the envelope of v, which has room for it before the data.
func sealInPlace(bucket string, key []byte, version uint32, v []byte) {
	binary.BigEndian.PutUint32(v[4:], version)
	binary.BigEndian.PutUint32(v, checksum(bucket, key, v[4:]))
}

// unseal returns the data of a stored value, not copied.
func unseal(bucket string, key, stored []byte) ([]byte, error) {
	if len(stored) < envelopeSize || binary.BigEndian.Uint32(stored) != checksum(bucket, key, stored[4:]) {
		return nil, &CorruptError{Bucket: bucket, Key: append([]byte(nil), key...)}
	}
	return stored[envelopeSize:], nil
}
