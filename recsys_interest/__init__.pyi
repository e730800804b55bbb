# One line a station, in the order of the road. `lazy_loader` reads this file at run time.
from .checks import SchemaError as SchemaError
from .event_weights import event_strength as event_strength
from .schema import validate_events as validate_events, validate_items as validate_items
from .schema import validate_users as validate_users
from .interest_log import make_interest_log as make_interest_log
from .download import DownloadError as DownloadError
from .datasets import Dataset as Dataset, list_datasets as list_datasets
from .datasets import load_dataset as load_dataset, load_tables as load_tables
from .characters import detect_encoding as detect_encoding, restore_text as restore_text
from .files import read_chunks as read_chunks, read_table as read_table, write_table as write_table
from .clean_log import CleanLog as CleanLog
from .times import parse_times as parse_times
from .robots import RobotRule as RobotRule
from .cleaning import clean_events as clean_events
from .splitting import Split as Split, random_split as random_split, time_split as time_split
from .splitting import cold_item_split as cold_item_split, cold_user_split as cold_user_split
from .splitting import user_split as user_split
from .log_statistics import describe_log as describe_log, gini as gini
from .tokens import WordAnalyzer as WordAnalyzer, count_tokens as count_tokens
from .tokens import stop_words as stop_words
from .text import item_text as item_text, user_text as user_text
from .keywords import class_tfidf as class_tfidf, distinctive_words as distinctive_words
from .keywords import keyword_matrix as keyword_matrix
from .keyword_vectors import keyword_vectors as keyword_vectors, keyword_weights as keyword_weights
from .chat import ChatEndpoint as ChatEndpoint
from .keyword_extraction import CountedKeywords as CountedKeywords, KeywordError as KeywordError
from .keyword_extraction import LLMKeywords as LLMKeywords
from .word_vectors import WordVectors as WordVectors
from .token_vectors import TokenVectors as TokenVectors
from .item_index import ItemIndex as ItemIndex
from .vector_cache import VectorCache as VectorCache
from .encoder import TextEncoder as TextEncoder
from .training_plan import TrainingPlan as TrainingPlan, TrainingResult as TrainingResult
from .pretraining import pretrain as pretrain
from .text_pairs import behaviour_pairs as behaviour_pairs
from .contrastive import train_contrastive as train_contrastive
from .profiles import InterestProfiler as InterestProfiler
from .event_ids import drop_replays as drop_replays
from .durable_stream import DurableStream as DurableStream, Receipt as Receipt
from .sessions import blend_profiles as blend_profiles, last_session as last_session
from .sessions import session_numbers as session_numbers
from .interests import multi_interest as multi_interest
from .whitening import AllButTheTop as AllButTheTop, Whitening as Whitening
from .engagement import tier_features as tier_features
from .label_sources import check_label_window as check_label_window
from .label_sources import tier_labels as tier_labels
from .engagement_rule import RfmRule as RfmRule, engagement_tiers as engagement_tiers
from .judged_tiers import judge_tiers as judge_tiers
from .tiers import TierClassifier as TierClassifier
from .tier_metrics import evaluate_tiers as evaluate_tiers, tier_agreement as tier_agreement
from .tier_metrics import tier_calibration as tier_calibration
from .stability import population_stability as population_stability
from .drift import detect_drift as detect_drift
from .drift_monitor import DriftMonitor as DriftMonitor, surprise as surprise
from .neighbour_smoothing import NeighbourSmoothing as NeighbourSmoothing
from .iterative_classification import IterativeClassification as IterativeClassification
from .density import KneeDBSCAN as KneeDBSCAN, k_distances as k_distances, knee_eps as knee_eps
from .clusters import InterestClusterer as InterestClusterer
from .consensus import consensus_clusters as consensus_clusters
from .look_alike import look_alike_lift as look_alike_lift, look_alikes as look_alikes
from .short_texts import join_words as join_words, short_text_clusterer as short_text_clusterer
from .nested_clusters import cluster_within_tiers as cluster_within_tiers
from .cluster_count import ClusterCount as ClusterCount, choose_k as choose_k
from .adaptive_kmeans import AdaptiveKMeans as AdaptiveKMeans
from .cluster_matching import ClusterMatch as ClusterMatch, match_clusters as match_clusters
from .windows import window_profiles as window_profiles
from .dynamics import DynamicClusterer as DynamicClusterer
from .recommender import Recommender as Recommender
from .recommend import CosineRecommender as CosineRecommender
from .recommend import PopularityRecommender as PopularityRecommender
from .several_interests import SeveralInterestsRecommender as SeveralInterestsRecommender
from .cluster_recommenders import ClusterPopularityRecommender as ClusterPopularityRecommender
from .cluster_recommenders import TwoStageRecommender as TwoStageRecommender
from .live_recommender import LiveRecommender as LiveRecommender
from .ease import EaseRecommender as EaseRecommender
from .nearest_neighbours import ItemKNNRecommender as ItemKNNRecommender
from .nearest_neighbours import TextKNNRecommender as TextKNNRecommender
from .nearest_neighbours import UserKNNRecommender as UserKNNRecommender
from .matrix_factors import ALSRecommender as ALSRecommender, SVDRecommender as SVDRecommender
from .cold_rules import ColdRule as ColdRule
from .text_informed import TextInformedRecommender as TextInformedRecommender
from .blending import PopularityBlend as PopularityBlend
from .priors import Prior as Prior
from .text_priors import InterestPrior as InterestPrior, ProfilePrior as ProfilePrior
from .text_priors import TextPrior as TextPrior
from .group_priors import AttributePrior as AttributePrior, ClusterPrior as ClusterPrior
from .catalogue import extend_catalogue as extend_catalogue
from .cold_start import ColdStartRecommender as ColdStartRecommender
from .explanations import explain as explain
from .sentences import explanation_sentences as explanation_sentences
from .word_explanations import explain_words as explain_words, text_scores as text_scores
from .word_explanations import text_without as text_without
from .feedback import feedback_events as feedback_events
from .item_shares import category_shares as category_shares
from .reranking import calibrate as calibrate, diversify as diversify
from .reranking import fill_quotas as fill_quotas
from .cluster_metrics import evaluate_clusters as evaluate_clusters
from .cluster_names import intruder_test as intruder_test, name_clusters as name_clusters
from .lasting_names import lasting_names as lasting_names, named_ledger as named_ledger
from .cluster_cards import ClusterCard as ClusterCard, ClusterCards as ClusterCards
from .cluster_cards import cluster_cards as cluster_cards
from .ranking_metrics import evaluate_recommendations as evaluate_recommendations
from .ranking_metrics import per_user_metrics as per_user_metrics
from .list_metrics import per_list_metrics as per_list_metrics
from .list_metrics import popularity_bias as popularity_bias
from .group_metrics import evaluate_by_group as evaluate_by_group
from .paired_tests import compare_recommendations as compare_recommendations, holm as holm
from .off_policy import off_policy_value as off_policy_value
from .noise import add_noise as add_noise
from .refit_policies import DriftPolicy as DriftPolicy, FrozenPolicy as FrozenPolicy
from .refit_policies import OnlinePolicy as OnlinePolicy, ScheduledPolicy as ScheduledPolicy
from .refit_replay import compare_refits as compare_refits
from .bandit_rules import EpsilonGreedy as EpsilonGreedy, GreedyRule as GreedyRule
from .bandit_rules import RandomRule as RandomRule, ThompsonSampling as ThompsonSampling
from .interest_bandit import InterestBandit as InterestBandit, simulate_regret as simulate_regret
from .sequence import GRURecommender as GRURecommender
from .new_items import compare_on_new_items as compare_on_new_items
from .adapting import Adaptation as Adaptation, BehaviourAdapter as BehaviourAdapter
from .adapting import adapt as adapt
from .figure_style import use_house_style as use_house_style
from .plots import plot_interest_map as plot_interest_map, plot_intervals as plot_intervals
from .plots import plot_k_distances as plot_k_distances
from .cluster_plots import plot_cluster_count as plot_cluster_count
from .flow_plots import plot_alluvial as plot_alluvial
from .report import write_report as write_report
from .pipeline import InterestPipeline as InterestPipeline

__version__: str
