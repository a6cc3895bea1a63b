/**
 * The requests that are made of brokers and what comes back, in our own types: what the adapter takes and gives. A
 * response keeps the error codes of its parts; nobody throws because of them. Invariant: nothing here knows which
 * version of a request was spoken.
 */

export interface BrokerInfo {
  readonly nodeId: number
  readonly host: string
  readonly port: number
  readonly rack: string | null
}

export interface MetadataPartition {
  readonly errorCode: number
  readonly partitionIndex: number
  /** −1 while there is none. */
  readonly leaderId: number
  readonly leaderEpoch: number
  readonly replicaNodes: readonly number[]
}

export interface MetadataTopic {
  readonly errorCode: number
  readonly name: string | null
  /** All zeros where the broker gives topics no ids. */
  readonly topicId: string
  readonly isInternal: boolean
  readonly partitions: readonly MetadataPartition[]
}

export interface FetchPartition {
  readonly partition: number
  readonly currentLeaderEpoch: number
  readonly fetchOffset: bigint
  /** Of the record before `fetchOffset`; −1 for no check. */
  readonly lastFetchedEpoch: number
  readonly partitionMaxBytes: number
}

export interface FetchTopic {
  readonly name: string
  readonly topicId: string
  readonly partitions: readonly FetchPartition[]
}

export interface FetchRequest {
  readonly maxWaitMs: number
  readonly minBytes: number
  readonly maxBytes: number
  readonly readCommitted: boolean
  readonly topics: readonly FetchTopic[]
  /** Empty for none. */
  readonly rackId: string
}

export interface FetchedPartition {
  /** The topic's id, or its name from a broker before 3.1. */
  readonly topic: string
  readonly partitionIndex: number
  readonly errorCode: number
  readonly highWatermark: number
  readonly lastStableOffset: number
  readonly logStartOffset: number
  readonly abortedTransactions: readonly { readonly producerId: bigint; readonly firstOffset: bigint }[]
  /** −1 for none. */
  readonly preferredReadReplica: number
  /**
   * Where the broker's log has nothing of `lastFetchedEpoch` at the fetched offset: the newest epoch up to that one which
   * it has, and where that ends. Then there are no records.
   */
  readonly diverging: { readonly epoch: number; readonly endOffset: number } | null
  /** Record batches as they are stored; the last one may be cut off. A buffer of its own. */
  readonly records: Buffer | null
}

export interface OffsetRequestPartition {
  readonly partitionIndex: number
  readonly currentLeaderEpoch: number
  /** Epoch milliseconds; −2 earliest, −1 latest. */
  readonly timestamp: bigint
}

export interface OffsetsOfPartition {
  readonly partitionIndex: number
  readonly errorCode: number
  readonly timestamp: bigint
  /** −1 where no record is that young. */
  readonly offset: bigint
  readonly leaderEpoch: number
}

export interface CommitPartition {
  readonly partitionIndex: number
  readonly committedOffset: bigint
  readonly committedLeaderEpoch: number
  readonly committedMetadata: string | null
}

export interface CommitTopic {
  readonly name: string
  readonly partitions: readonly CommitPartition[]
}

export interface PartitionCode {
  readonly partitionIndex: number
  readonly errorCode: number
}

export interface TopicCodes {
  readonly name: string
  readonly partitions: readonly PartitionCode[]
}

export interface CommittedPartition {
  readonly partitionIndex: number
  /** −1 for none. */
  readonly committedOffset: bigint
  /** Of the record before it; −1 where that was not stored. */
  readonly committedLeaderEpoch: number
  readonly metadata: string | null
  readonly errorCode: number
}

export interface GroupOffsets {
  readonly groupId: string
  readonly errorCode: number
  readonly topics: readonly { readonly name: string; readonly partitions: readonly CommittedPartition[] }[]
}

export interface TopicIdPartitions {
  readonly topicId: string
  readonly partitions: readonly number[]
}

export interface Joined {
  readonly errorCode: number
  readonly generationId: number
  readonly protocolName: string | null
  readonly leader: string
  readonly memberId: string | null
  readonly skipAssignment: boolean
  readonly members: readonly {
    readonly memberId: string
    readonly groupInstanceId?: string | null
    readonly metadata: Buffer | null
  }[]
}

export interface ProducePartition {
  readonly index: number
  /** Record batches, encoded. */
  readonly records: Buffer
}

export interface ProducedPartition {
  readonly index: number
  readonly errorCode: number
  readonly baseOffset: number
  readonly logAppendTimeMs: number
  readonly logStartOffset: number
  /** Which records of the batch were refused, by their place in it. */
  readonly recordErrors: readonly { readonly batchIndex: number; readonly text: string | null }[]
  readonly errorText: string | null
}

/** Name → what is asked and what is answered. Errors of the network, of TLS and of SASL reject, all others are codes. */
export interface Calls {
  metadata(topics: readonly string[] | null): {
    readonly brokers: readonly BrokerInfo[]
    readonly clusterId: string | null
    readonly controllerId: number
    readonly topics: readonly MetadataTopic[]
  }
  /** `kind` 0: groups, 1: transactions. */
  findCoordinator(
    kind: 0 | 1,
    keys: readonly string[],
  ): {
    readonly coordinators: readonly (BrokerInfo & {
      readonly key: string
      readonly errorCode: number
      readonly errorMessage: string | null
    })[]
  }
  fetch(request: FetchRequest): { readonly errorCode: number; readonly partitions: readonly FetchedPartition[] }
  listOffsets(
    replica: -1,
    isolation: 0 | 1,
    topics: readonly { readonly name: string; readonly partitions: readonly OffsetRequestPartition[] }[],
  ): { readonly topics: readonly { readonly name: string; readonly partitions: readonly OffsetsOfPartition[] }[] }
  offsetFetch(
    groups: readonly {
      readonly groupId: string
      readonly memberId: string | null
      readonly memberEpoch: number
      /** Null for all that the group has. */
      readonly topics: readonly { readonly name: string; readonly partitionIndexes: readonly number[] }[] | null
    }[],
    requireStable: boolean,
  ): { readonly groups: readonly GroupOffsets[] }
  offsetCommit(
    groupId: string,
    generationIdOrMemberEpoch: number,
    memberId: string,
    groupInstanceId: string | null,
    topics: readonly CommitTopic[],
  ): { readonly topics: readonly TopicCodes[] }
  heartbeat(
    groupId: string,
    generationId: number,
    memberId: string,
    groupInstanceId: string | null,
  ): { readonly errorCode: number }
  joinGroup(
    groupId: string,
    sessionTimeoutMs: number,
    rebalanceTimeoutMs: number,
    memberId: string,
    groupInstanceId: string | null,
    protocolType: string,
    protocols: readonly { readonly name: string; readonly metadata: Buffer }[],
    reason: string | null,
  ): Joined
  syncGroup(
    groupId: string,
    generationId: number,
    memberId: string,
    groupInstanceId: string | null,
    protocolType: string,
    protocolName: string,
    assignments: readonly { readonly memberId: string; readonly assignment: Buffer }[],
  ): { readonly errorCode: number; readonly assignment: Buffer }
  leaveGroup(
    groupId: string,
    members: readonly {
      readonly memberId: string
      readonly groupInstanceId: string | null
      readonly reason: string | null
    }[],
  ): { readonly errorCode: number }
  describeGroups(
    groups: readonly string[],
    includeAuthorizedOperations: boolean,
  ): { readonly groups: readonly { readonly errorCode: number; readonly members: readonly unknown[] }[] }
  /** The size of a KIP-848 group, the only one that is asked about; null where the broker says nothing. */
  consumerGroupDescribe(
    groups: readonly [string],
    includeAuthorizedOperations: false,
  ): { readonly group: { readonly errorCode: number; readonly members: number } | null }
  /** KIP-848. */
  consumerGroupHeartbeat(
    groupId: string,
    memberId: string,
    memberEpoch: number,
    instanceId: string | null,
    rackId: string | null,
    rebalanceTimeoutMs: number,
    subscribedTopicNames: readonly string[] | null,
    subscribedTopicRegex: string | null,
    serverAssignor: string | null,
    topicPartitions: readonly TopicIdPartitions[] | null,
  ): {
    readonly errorCode: number
    readonly errorMessage: string | null
    readonly memberId: string | null
    readonly memberEpoch: number
    readonly heartbeatIntervalMs: number
    readonly assignment: { readonly topicPartitions: readonly TopicIdPartitions[] } | null
  }
  initProducerId(
    transactionalId: string | null,
    transactionTimeoutMs: number,
    producerId: bigint,
    producerEpoch: number,
  ): { readonly errorCode: number; readonly producerId: bigint; readonly producerEpoch: number }
  produce(
    transactionalId: string | null,
    acks: -1 | 1,
    timeoutMs: number,
    topics: readonly { readonly name: string; readonly partitions: readonly ProducePartition[] }[],
  ): { readonly topics: readonly { readonly name: string; readonly partitions: readonly ProducedPartition[] }[] }
  addPartitionsToTxn(
    transactions: readonly {
      readonly transactionalId: string
      readonly producerId: bigint
      readonly producerEpoch: number
      readonly verifyOnly: false
      readonly topics: readonly { readonly name: string; readonly partitions: readonly number[] }[]
    }[],
  ): {
    readonly errorCode: number
    readonly resultsByTransaction: readonly {
      readonly topicResults: readonly {
        readonly name: string
        readonly resultsByPartition: readonly {
          readonly partitionIndex: number
          readonly partitionErrorCode: number
        }[]
      }[]
    }[]
  }
  addOffsetsToTxn(
    transactionalId: string,
    producerId: bigint,
    producerEpoch: number,
    groupId: string,
  ): { readonly errorCode: number }
  txnOffsetCommit(
    transactionalId: string,
    groupId: string,
    producerId: bigint,
    producerEpoch: number,
    generationId: number,
    memberId: string,
    groupInstanceId: string | null,
    topics: readonly CommitTopic[],
  ): { readonly topics: readonly TopicCodes[] }
  endTxn(
    transactionalId: string,
    producerId: bigint,
    producerEpoch: number,
    committed: boolean,
  ): { readonly errorCode: number }
}

export type CallName = keyof Calls
