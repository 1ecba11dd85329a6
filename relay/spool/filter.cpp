#include "relay/spool/filter.hpp"

namespace millrace::relay {
namespace {

bool allows(const std::string& wanted, const std::string& actual) {
    return wanted.empty() || wanted == actual;
}

}  // namespace

bool needs_envelope(const WorkFilter& filter) {
    return !filter.sender.empty() || !filter.mta_queue_id.empty() || !filter.message_id.empty();
}

bool matches(const WorkFilter& filter, const Work& work) {
    return (!filter.message || *filter.message == work.key.message) &&
           (!filter.held || *filter.held == work.held) &&
           allows(filter.destination, work.destination) &&
           (filter.destinations.empty() || filter.destinations.contains(work.destination)) &&
           allows(filter.sender_domain, work.sender_domain) &&
           allows(filter.recipient, work.recipient) && allows(filter.account, work.account);
}

bool matches(const WorkFilter& filter, const Envelope& envelope) {
    return allows(filter.sender, envelope.sender) &&
           allows(filter.mta_queue_id, envelope.mta_queue_id) &&
           allows(filter.message_id, envelope.message_id);
}

}  // namespace millrace::relay
