#include "relay/deliver/courier.hpp"

#include "relay/deliver/conversation.hpp"

namespace millrace::relay {

Courier::Courier(
    Network& network, Clock& clock, Log& log, TaskGroup& conversations, CourierOptions options)
    : conversation_(
          std::make_unique<Conversation>(network, clock, log, conversations, std::move(options))) {}

Courier::~Courier() = default;

Task<Opened> Courier::open(Route route, std::vector<Target> targets) {
    return conversation_->open(std::move(route), std::move(targets));
}

Task<std::vector<RecipientOutcome>> Courier::send(Transaction transaction) {
    return conversation_->send(std::move(transaction));
}

Task<void> Courier::quit() {
    return conversation_->quit();
}

void Courier::abort() {
    conversation_->abort();
}

bool Courier::reusable() const {
    return conversation_->reusable();
}

unsigned Courier::recipients_max() const {
    return conversation_->recipients_max();
}

unsigned Courier::delivered() const {
    return conversation_->delivered();
}

const std::string& Courier::host() const {
    return conversation_->host();
}

const std::string& Courier::source_ip() const {
    return conversation_->source_ip();
}

std::string Courier::tls_protocol() const {
    return conversation_->tls_protocol();
}

}  // namespace millrace::relay
