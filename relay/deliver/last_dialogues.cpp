#include "relay/deliver/last_dialogues.hpp"

namespace millrace::relay {

Dialogue& LastDialogues::freshest(std::string_view site) {
    if (auto const found = by_site_.find(site); found != by_site_.end()) {
        dialogues_.splice(dialogues_.begin(), dialogues_, found->second);
        return dialogues_.front();
    }
    if (dialogues_.size() >= sites_max) {
        by_site_.erase(dialogues_.back().site);
        dialogues_.pop_back();
    }
    dialogues_.emplace_front().site = site;
    by_site_.emplace(dialogues_.front().site, dialogues_.begin());
    return dialogues_.front();
}

void LastDialogues::heard(std::string_view site,
                          std::string_view host,
                          std::string_view reply,
                          Time at) {
    auto& dialogue = freshest(site);
    dialogue.host = host;
    dialogue.reply = reply.substr(0, reply_max);
    dialogue.at = at;
}

void LastDialogues::refused(std::string_view site, std::string_view text, Time at) {
    if (text.size() > text_max) {
        auto const line = text.find('\n', text.size() - text_max - 1);
        text.remove_prefix(line == std::string_view::npos ? text.size() - text_max : line + 1);
    }
    auto& dialogue = freshest(site);
    dialogue.refused = text;
    dialogue.refused_at = at;
}

const Dialogue* LastDialogues::of(std::string_view site) const {
    auto const found = by_site_.find(site);
    return found == by_site_.end() ? nullptr : &*found->second;
}

}  // namespace millrace::relay
