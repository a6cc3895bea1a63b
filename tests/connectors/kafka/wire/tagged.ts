/** Fields that brokers add to their answers only now and then, as they write them. */
import { Writer } from '@platformatic/kafka'

export type Tagged = readonly (readonly [tag: number, content: Writer])[]

/** With as many fields as are given, each behind its tag and its length. */
export function appendTagged(writer: Writer, fields: Tagged): void {
  writer.appendUnsignedVarInt(fields.length)
  for (const [tag, content] of fields)
    writer.appendUnsignedVarInt(tag).appendUnsignedVarInt(content.length).append(content.buffer)
}

/** A leader's id and epoch. */
export function leader(id: number, epoch: number): Writer {
  return Writer.create().appendInt32(id).appendInt32(epoch).appendTaggedFields()
}

/** An epoch and where it ends. */
export function diverging(epoch: number, endOffset: bigint): Writer {
  return Writer.create().appendInt32(epoch).appendInt64(endOffset).appendTaggedFields()
}
