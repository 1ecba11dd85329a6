#include "relay/spool/record.hpp"

#include <algorithm>

#include "relay/spool/crc32c.hpp"
#include "relay/spool/record_bytes.hpp"

namespace millrace::relay {
namespace {

constexpr std::uint8_t version_1 = 1;
constexpr std::uint8_t version_2 = 2;  // of events, works and ledgers
constexpr std::size_t body_head = 5;   // version, checksum

unsigned notify_bits(const Notify& notify) {
    return (notify.never ? 1U : 0U) | (notify.success ? 2U : 0U) | (notify.failure ? 4U : 0U) |
           (notify.delay ? 8U : 0U) | (notify.given ? 16U : 0U);
}

Notify to_notify(std::uint64_t bits) {
    return {.never = (bits & 1U) != 0,
            .success = (bits & 2U) != 0,
            .failure = (bits & 4U) != 0,
            .delay = (bits & 8U) != 0,
            .given = (bits & 16U) != 0};
}

Class read_class(RecordReader& in) {
    return static_cast<Class>(in.number_up_to(static_cast<std::uint64_t>(Class::bulk)));
}

template <class T>
Result<T> checked(RecordReader& in, T value) {
    if (auto const ok = in.done(); !ok) return std::unexpected(ok.error());
    return value;
}

}  // namespace

std::string encode(const Envelope& envelope) {
    RecordWriter out(version_1);
    out.text(envelope.sender)
        .text(envelope.account)
        .number(static_cast<unsigned>(envelope.klass))
        .text(envelope.tag)
        .text(envelope.ret)
        .text(envelope.envid)
        .number(envelope.smtputf8 ? 1 : 0)
        .number(static_cast<unsigned>(envelope.body))
        .time(envelope.received)
        .time(envelope.born)
        .text(envelope.client)
        .text(envelope.mta_queue_id)
        .text(envelope.message_id)
        .number(envelope.size)
        .number(envelope.recipients.size());
    for (auto const& recipient : envelope.recipients) {
        out.text(recipient.address)
            .text(recipient.destination)
            .text(recipient.orcpt)
            .number(notify_bits(recipient.notify));
    }
    return std::move(out).done();
}

Result<Envelope> decode_envelope(MessageId id, std::string_view bytes) {
    RecordReader in(bytes, version_1, "envelope");
    Envelope out;
    out.id = id;
    out.sender = in.text();
    out.account = in.text();
    out.klass = read_class(in);
    out.tag = in.text();
    out.ret = in.text();
    out.envid = in.text();
    out.smtputf8 = in.flag();
    out.body = static_cast<BodyType>(in.number_up_to(static_cast<std::uint64_t>(BodyType::binary)));
    out.received = in.time();
    out.born = in.time();
    out.client = in.text();
    out.mta_queue_id = in.text();
    out.message_id = in.text();
    out.size = in.number<std::uint64_t>();
    constexpr std::size_t least = 4;  // bytes of a recipient: no count makes us allocate more
    auto const count = in.number_up_to(in.left() / least);
    out.recipients.reserve(count);
    for (std::uint64_t i = 0; i < count; ++i) {
        Recipient recipient;
        recipient.address = in.text();
        recipient.destination = in.text();
        recipient.orcpt = in.text();
        recipient.notify = to_notify(in.number_up_to(31));
        out.recipients.push_back(std::move(recipient));
    }
    return checked(in, std::move(out));
}

std::string encode(const WorkRecord& record) {
    auto const& work = record.work;
    RecordWriter out(version_2);
    out.number(record.recipients)
        .text(work.destination)
        .time(work.due)
        .number(work.held ? 1 : 0)
        .number(work.attempts)
        .number(work.version)
        .time(work.born)
        .time(work.first_tried)
        .number(work.starts)
        .number(work.delay_told ? 1 : 0)
        .number(static_cast<unsigned>(work.klass))
        .text(work.account)
        .text(work.recipient)
        .text(work.last_reply)
        .text(work.last_host)
        .text(work.sender_domain)
        .number(work.slot);
    return std::move(out).done();
}

Result<WorkRecord> decode_work(const WorkKey& key, std::string_view bytes) {
    auto const version = bytes.empty() || bytes.front() != version_1 ? version_2 : version_1;
    RecordReader in(bytes, version, "work");
    WorkRecord out;
    out.recipients = in.number<std::uint16_t>();
    auto& work = out.work;
    work.key = key;
    work.destination = in.text();
    work.due = in.time();
    work.held = in.flag();
    work.attempts = in.number<std::uint16_t>();
    work.version = in.number<std::uint32_t>();
    work.born = in.time();
    work.first_tried = in.time();
    work.starts = in.number<std::uint8_t>();
    work.delay_told = in.flag();
    work.klass = read_class(in);
    work.account = in.text();
    work.recipient = in.text();
    work.last_reply = in.text();
    work.last_host = in.text();
    if (version != version_1) {
        work.sender_domain = in.text();
        work.slot = in.number<std::uint8_t>();
    }
    return checked(in, std::move(out));
}

std::string encode(const Event& event) {
    RecordWriter out(version_2);
    out.number(static_cast<unsigned>(event.kind))
        .time(event.at)
        .number(event.message.value)
        .number(event.recipient_index)
        .text(event.mta_queue_id)
        .text(event.message_id)
        .text(event.account)
        .text(event.recipient)
        .text(event.sender)
        .text(event.klass)
        .text(event.tag)
        .number(event.attempt)
        .text(event.site)
        .text(event.provider)
        .text(event.remote_mta)
        .text(event.source_ip)
        .number(event.smtp_code)
        .text(event.enhanced_status)
        .text(event.reason)
        .text(event.bounce_category)
        .number((event.possible_duplicate ? 1U : 0U) | (event.late ? 2U : 0U) |
                (event.last ? 4U : 0U))
        .time(event.born)
        .number(static_cast<std::uint64_t>(std::max(event.took, Duration::zero()).count()))
        .number(event.connection_use)
        .text(event.client)
        .number(event.size)
        .number(event.recipients);
    return std::move(out).done();
}

Result<Event> decode_event(std::uint64_t id, std::string_view bytes) {
    auto const version = bytes.empty() || bytes.front() != version_1 ? version_2 : version_1;
    RecordReader in(bytes, version, "event");
    Event out;
    out.id = id;
    out.kind =
        static_cast<EventKind>(in.number_up_to(static_cast<std::uint64_t>(EventKind::removed)));
    out.at = in.time();
    out.message = MessageId{in.number<std::uint64_t>()};
    out.recipient_index = in.number<std::uint16_t>();
    out.mta_queue_id = in.text();
    out.message_id = in.text();
    out.account = in.text();
    out.recipient = in.text();
    out.sender = in.text();
    out.klass = in.text();
    out.tag = in.text();
    out.attempt = in.number<std::uint16_t>();
    out.site = in.text();
    out.provider = in.text();
    out.remote_mta = in.text();
    out.source_ip = in.text();
    out.smtp_code = in.number<std::uint16_t>();
    out.enhanced_status = in.text();
    out.reason = in.text();
    out.bounce_category = in.text();
    auto const marks = in.number_up_to(version == version_1 ? 3 : 7);
    out.possible_duplicate = (marks & 1U) != 0;
    out.late = (marks & 2U) != 0;
    out.last = (marks & 4U) != 0;
    if (version != version_1) {
        out.born = in.time();
        out.took = Duration(static_cast<std::int64_t>(in.number_up_to(INT64_MAX)));
        out.connection_use = in.number<std::uint16_t>();
        out.client = in.text();
        out.size = in.number<std::uint64_t>();
        out.recipients = in.number<std::uint16_t>();
    }
    return checked(in, std::move(out));
}

std::string encode(const Ledger& ledger) {
    auto const& books = ledger.books;
    RecordWriter out(version_2);
    out.number(ledger.last_event)
        .number(ledger.last_id.value)
        .number(ledger.queued)
        .number(ledger.held)
        .number(books.received)
        .number(books.delivered)
        .number(books.bounced)
        .number(books.expired)
        .number(books.suppressed)
        .number(books.removed);
    return std::move(out).done();
}

Result<Ledger> decode_ledger(std::string_view bytes) {
    auto const version = bytes.empty() || bytes.front() != version_1 ? version_2 : version_1;
    RecordReader in(bytes, version, "ledger");
    Ledger out;
    out.last_event = in.number<std::uint64_t>();
    out.last_id = MessageId{in.number<std::uint64_t>()};
    out.queued = in.number<std::uint64_t>();
    out.held = in.number_up_to(out.queued);
    if (version == version_1) {
        out.books.received = out.queued;  // the books begin with what is there
        return checked(in, out);
    }
    auto& books = out.books;
    for (auto* const count : {&books.received,
                              &books.delivered,
                              &books.bounced,
                              &books.expired,
                              &books.suppressed,
                              &books.removed}) {
        *count = in.number<std::uint64_t>();
    }
    return checked(in, out);
}

std::string encode_body(std::string_view bytes) {
    std::string out;
    out.reserve(body_head + bytes.size());
    out += static_cast<char>(version_1);
    auto const crc = crc32c(bytes);
    for (unsigned shift = 0; shift < 32; shift += 8) {
        out += static_cast<char>(crc >> shift);
    }
    out += bytes;
    return out;
}

Result<Body> decode_body(std::string_view bytes) {
    if (bytes.size() < body_head) return failure(Fault::corrupt, "a stored body is cut short");
    if (static_cast<std::uint8_t>(bytes.front()) != version_1) {
        return failure(Fault::corrupt, "a stored body has a version this program does not know");
    }
    std::uint32_t crc = 0;
    for (std::size_t i = body_head - 1; i > 0; --i) {
        crc = (crc << 8U) | static_cast<unsigned char>(bytes[i]);
    }
    auto const content = bytes.substr(body_head);
    if (crc32c(content) != crc) return failure(Fault::corrupt, "a stored body fails its checksum");
    return std::make_shared<const std::string>(content);
}

}  // namespace millrace::relay
