"""Why a body becomes what it becomes, decision by decision, and what would make an event of it. For people; pure."""
